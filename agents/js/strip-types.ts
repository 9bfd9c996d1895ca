import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Stripped } from './compiler/main.ts'
import { endsWithUs } from './runner-process.ts'

const program = join(dirname(fileURLToPath(import.meta.url)), 'compiler', 'main.js')
/** For the longest of scripts on a small machine. */
const longestMs = 30_000
const fellOver: Stripped = { message: 'the compiler that takes its types off fell over' }

/** JavaScript of a TypeScript text: what is types alone is blanked out, every line and column stays where it was. */
export async function stripTypes (text: string): Promise<Stripped> {
  const [command, ...args] = [...endsWithUs(), process.execPath, '--no-warnings', program]
  const child = spawn(command, args, { env: {}, stdio: ['pipe', 'pipe', 'ignore'], timeout: longestMs, killSignal: 'SIGKILL' })
  const said = new Promise<string>((resolve) => {
    const pieces: string[] = []
    child.on('error', () => resolve(''))
    child.on('close', () => resolve(pieces.join('')))
    child.stdin?.on('error', () => {}) // It is gone: what it said tells.
    child.stdout?.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece))
  })
  child.stdin?.end(text)
  try {
    return JSON.parse(await said) as Stripped
  } catch {
    return fellOver
  }
}
