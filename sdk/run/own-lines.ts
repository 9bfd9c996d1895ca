import { fileURLToPath } from 'node:url'

/** Of all that is built with the SDK: what it imports is no file of the author's. */
const ownFolder = new URL('../..', import.meta.url).href
const ownPath = fileURLToPath(ownFolder)

/** The lines of a stack that are in files of the author's own: `at onRequest (file:///a.ts:3:4)`, or in CommonJS `at onRequest (/a.cjs:3:4)`. */
export function ownLines (stack: string): string[] {
  return stack.split('\n').filter((line) => place.test(line) && ![ownFolder, `(${ownPath}`, `at ${ownPath}`, '/node_modules/'].some((foreign) => line.includes(foreign)))
}

/** file:///a%20b.ts:3:4 or /a b.cjs:3:4 of the topmost such line. */
export function ownPlace (stack: string): string | undefined {
  const [topmost] = ownLines(stack)
  return topmost === undefined ? undefined : place.exec(topmost)?.[1]
}

const place = /^\s+at .*?((?:file:\/\/|(?<=[( ])\/).*:\d+:\d+)\)?$/
