import Module, { isBuiltin, register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import type { HookSettings } from './hooks.ts'

/** What agents import the SDK as: out of the whole product, and out of the package that it is alone. */
const names = ['sentinel/sdk', '@sentinel-proxy/sdk']

/** Paths of the files that were loaded from outside of the installation and of `node_modules`. */
export interface LoadedFiles {
  /** Those since the last call. */
  take (): string[]
}

/**
 * From now on this process imports TypeScript, and `sentinel/sdk` is the SDK that this file belongs to. Node has taken types away by itself since 22.18; it is
 * left to it there. `warm`: be ready before the first file comes, at the cost of some milliseconds now.
 */
export function registerHooks ({ warm = false }: { readonly warm?: boolean } = {}): LoadedFiles {
  const { port1, port2 } = new MessageChannel()
  // Node waits for whoever listens on a port; nobody does here.
  port1.unref()
  const data: HookSettings = {
    sdk: Object.fromEntries(names.flatMap((name) => [
      [name, new URL('../index.js', import.meta.url).href], [`${name}/testing`, new URL('../testing/index.js', import.meta.url).href],
    ])),
    ownFolder: new URL('../..', import.meta.url).href,
    loaded: port2,
    warm,
    native: Boolean((process.features as { readonly typescript?: unknown }).typescript),
  }
  register('./hooks.js', import.meta.url, { data, transferList: [port2] })
  const required = followRequire(data)
  return { take: () => [...takeAll(port1), ...required.splice(0)] }
}

interface Resolver {
  _resolveFilename (this: unknown, specifier: string, ...others: unknown[]): string
}

/**
 * `require` asks no hooks in the Node versions there are: what it is to find for the name of the SDK is told to it here. Gives the files that it found, as
 * the hooks tell theirs.
 */
function followRequire ({ sdk, ownFolder }: HookSettings): string[] {
  const required: string[] = []
  // Not documented, and what every tool of this kind has relied on since Node 0.
  const resolver = Module as unknown as Resolver
  const find = resolver._resolveFilename
  resolver._resolveFilename = function (specifier, ...others) {
    const own = Object.hasOwn(sdk, specifier) ? sdk[specifier] : undefined
    if (own !== undefined) return fileURLToPath(own)
    const path = find.call(this, specifier, ...others)
    if (!isBuiltin(path) && !path.includes('/node_modules/') && !path.startsWith(fileURLToPath(ownFolder))) required.push(path)
    return path
  }
  return required
}

function takeAll (port: MessagePort): string[] {
  const paths: string[] = []
  for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) paths.push(String(got.message))
  return paths
}
