/** Every tool of the browser. None of them loads its module before one of them is used. */
export { browserClick, browserFill, browserHover, browserPress, browserScroll, browserSelect, browserType } from './act-tools.ts';
export { browserExtract } from './extract-tool.ts';
export { browserDownload, browserUpload } from './file-tools.ts';
export { browserScreenshot, browserSnapshot, browserWait } from './look-tools.ts';
export { browserNavigate } from './navigate-tool.ts';
export { browserTabs } from './tabs-tool.ts';
