/**
 * Control characters (but newline and tab), format characters (bidi overrides, zero width, tags), spaces and line ends that look like the plain
 * ones, what looks empty, lone surrogates, and all else that programs draw nothing for, assigned or not; but the two common variation selectors.
 * Source: Unicode categories Cc, Cf, Cs, Zl, Zp, Zs, Default_Ignorable_Code_Point, and TR36, TR39.
 */
export const HIDDEN_CHARACTERS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the very characters to find
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u2800]|(?! )\p{Zs}|(?![\ufe0e\ufe0f])\p{Default_Ignorable_Code_Point}/gu;
