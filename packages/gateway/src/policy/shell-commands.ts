/** What parts commands, starts a further one inside of one, or sends its output elsewhere. Quoted or not: a rule that lets in must not depend on how well this file reads quotes. */
export const COMMAND_OPERATORS = ';&|<>()`$\n\r{}';

/** What may stand before the word that says what runs. */
const BEFORE_COMMAND = /^(?:[A-Za-z_][A-Za-z0-9_]*=\S* |(?:then|do|else|elif|if|while|until|!|time|exec|command|nohup|sudo|env) )+/;

/**
 * The commands that a shell line may run, for rules that keep something out: cut at every operator, white space set equal, without assignments before them.
 * It errs towards too many pieces: what is cut inside of quotes is asked about once more, and never let in by it. Pure.
 * A line can always be written so that its words show only when it runs (`g''it push`, `eval`): a policy that must hold has `ask` or `deny` as its default.
 */
export function shellCommands(line: string): string[] {
  const pieces = line
    .split(/[;&|<>()`\n\r{}]|\$\(/)
    .map((piece) => piece.trim().replaceAll(/\s+/g, ' '))
    .filter((piece) => piece !== '');
  return [...new Set([...pieces, ...pieces.map((piece) => piece.replace(BEFORE_COMMAND, ''))])];
}
