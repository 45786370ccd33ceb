// An import that bundlers leave alone. It is a script of its own because minifying takes the comments that tell them so.

/** The module at an absolute URL. */
export function importUrl(url: string): Promise<unknown> {
  return import(/* @vite-ignore */ /* webpackIgnore: true */ url);
}
