// A small project with a fault in it, and what a model does about it: the content of the pictures.

const RUN = `import { existsSync, watch } from 'node:fs';

const green = (text) => \`\\x1b[32m\${text}\\x1b[0m\`;
const dim = (text) => \`\\x1b[2m\${text}\\x1b[0m\`;
console.log(\`\\x1b[1msrc/cart.test.ts\\x1b[0m\`);
for (const [name, ms] of [['an empty cart costs nothing', 1], ['adds up prices', 0], ['takes the discount per piece', 2], ['never goes below zero', 0], ['rounds to cents', 1]]) {
  console.log(\`  \${green('✔')} \${name} \${dim(\`(\${ms} ms)\`)}\`);
}
if (!existsSync('.go')) await new Promise((resolve) => watch('.', (_kind, name) => name === '.go' && resolve()));
console.log(\`\\n\${green('5 passed')}, \\x1b[33m1 slow\\x1b[0m, 0 failed\`);
process.exit(0);
`;

export const PROJECT: Readonly<Record<string, string>> = {
  'package.json': '{ "name": "shop", "type": "module", "scripts": { "test": "node run-tests.mjs" } }\n',
  'run-tests.mjs': RUN,
  'src/cart.ts': `export interface Line {
  readonly price: number;
  readonly quantity: number;
  /** In cents, for each piece. */
  readonly discount?: number;
}

export function lineTotal({ price, quantity, discount = 0 }: Line): number {
  return price * quantity - discount;
}

export function cartTotal(lines: readonly Line[]): number {
  return lines.reduce((total, line) => total + lineTotal(line), 0);
}
`,
};

export const TASK = {
  ask: 'The cart total is wrong when a line has a discount. Find out why and fix it.',
  edit: {
    path: 'src/cart.ts',
    oldText: '  return price * quantity - discount;\n',
    newText: '  // a discount is for each piece, and a line never costs less than nothing\n  return Math.max(0, (price - discount) * quantity);\n',
  },
  command: 'npm test --silent',
} as const;

export const PLAN = {
  steps: [
    { title: 'Read the cart and its tests', status: 'done' },
    { title: 'Correct the total of a line', status: 'doing' },
    { title: 'Run the tests', status: 'todo' },
  ],
};

export const QUESTION = {
  questions: [
    {
      question: 'Prices can now have fractions of a cent. Where shall they be rounded?',
      options: [
        { label: 'Per line', description: 'What is shown adds up exactly' },
        { label: 'Once, in the total', description: 'Closest to the true sum' },
        { label: 'Not at all' },
      ],
    },
  ],
};

export const ANSWER = `The total is right now, and all five tests pass.

### What changed

\`lineTotal\` in \`src/cart.ts\` took the discount once per line. It now counts for each piece:

\`\`\`ts
export function lineTotal({ price, quantity, discount = 0 }: Line): number {
  // a discount is for each piece, and a line never costs less than nothing
  return Math.max(0, (price - discount) * quantity);
}
\`\`\`

| cart | before | now |
|---|--:|--:|
| 3 × 10.00, discount 1.00 | 29.00 | **27.00** |
| 2 × 0.50, discount 0.75 | 0.25 | **0.00** |

Rounding happens **per line**, as you chose, so that what is shown adds up.
`;
