// node …/main.js agent.ts [--socket PATH …]: runs the agent that a file exports as its default, in JavaScript or TypeScript.
import { resolve } from 'node:path'
import { serve } from '../server/serve.ts'
import { setThreadHooks } from '../workers/hosted.ts'
import { CannotLoad, loadAgent } from './load-agent.ts'
import { registerHooks } from './register.ts'

const [node = '', , file, ...flags] = process.argv
if (file === undefined || file.startsWith('-')) {
  process.stderr.write('Name the file of the agent first: main.js agent.ts --socket PATH\n')
  process.exitCode = 2
} else {
  const path = resolve(file)
  process.argv = [node, path, ...flags]
  const loaded = registerHooks()
  setThreadHooks(new URL('./register.js', import.meta.url).href)
  try {
    await serve(await loadAgent(path, loaded.take))
  } catch (error) {
    if (!(error instanceof CannotLoad)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}
