// Runs in Node's loader thread: `register` starts it there. Lets an agent be a TypeScript file that nobody built, in a folder where nothing was installed.
import { readFile } from 'node:fs/promises'
import type { InitializeHook, LoadHook, ResolveHook } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { MessagePort } from 'node:worker_threads'
import { stripTypes } from './strip-types.ts'

export interface HookSettings {
  /** The address of each module of the SDK: the one copy that this process uses, whatever the agent's folder has installed. */
  readonly sdk: Readonly<Record<string, string>>
  /** Where the SDK's own files are. */
  readonly ownFolder: string
  /** Hears the path of every file that is loaded from outside of it and of `node_modules`. */
  readonly loaded: MessagePort | undefined
  /** Node itself takes types away. */
  readonly native: boolean
  /** Be ready before the first file comes. */
  readonly warm: boolean
}

let settings: HookSettings = { sdk: {}, ownFolder: '', loaded: undefined, native: false, warm: false }

export const initialize: InitializeHook<HookSettings> = (given) => {
  settings = given
  if (given.warm && !given.native) stripTypes('export const warm: boolean = true', 'warm.ts')
}

/** Two copies of the SDK in one process would not know each other's decisions, so its name always means this one. */
export const resolve: ResolveHook = (specifier, context, next) => {
  const own = settings.sdk[specifier]
  return own === undefined ? next(specifier, context) : { url: own, shortCircuit: true }
}

export const load: LoadHook = async (url, context, next) => {
  if (!url.startsWith('file:') || url.includes('/node_modules/') || url.startsWith(settings.ownFolder)) return next(url, context)
  const path = fileURLToPath(url)
  settings.loaded?.postMessage(path)
  if (settings.native || !/\.m?ts$/.test(path)) return next(url, context)
  return { format: 'module', source: stripTypes(await readFile(path, 'utf8'), path), shortCircuit: true }
}
