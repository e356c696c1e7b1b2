// Words that must not be in the tree: promises to finish later, and paths of the machine that somebody happened to work on.
import { globSync, readFileSync, statSync } from 'node:fs';

const UNWANTED = [
  { words: /(?:\/\/|^\s*\*|^\s*#|<!--).*\b(?:TO[D]O|FIX[M]E|X[X]X)\b/, why: 'finish it or leave it out' },
  { words: /(?<![\w.])\/(?:work|root|tmp\/tendon)\//, why: 'a path of one machine' },
];

process.chdir(`${import.meta.dirname}/..`);
const ignored = ['node_modules', 'dist', '.git', 'package-lock.json'];
const files = globSync(['*', '{packages,testing,tests,scripts,examples,docs,.ci}/**/*'], {
  exclude: (path) => ignored.some((name) => path.split('/').includes(name)),
});
const faults = files
  .filter((file) => statSync(file).isFile() && /\.(?:ts|tsx|mjs|js|json|md|css|html|sql|sh|grit)$|run$/.test(file))
  .flatMap((file) => {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.flatMap((line, index) =>
      UNWANTED.filter(({ words }) => words.test(line)).map(({ why }) => `${file}:${index + 1}: ${why}: ${line.trim().slice(0, 120)}`),
    );
  });
for (const fault of faults) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
