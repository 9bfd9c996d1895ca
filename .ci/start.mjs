// `npm start`: prepares the checkout, then runs Sentinel in this very process, so that Ctrl-C and SIGTERM reach it directly.
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { prepare, root, runScript, Unprepared } from './prepare.mjs'

const quickstart = relative(process.cwd(), join(root, 'examples', 'quickstart', 'sentinel.kdl'))

/** `npm start` alone runs the quickstart; `npm start -- -c mine.kdl` and `npm start -- check -c mine.kdl` say otherwise. */
function commandLine (extra) {
  if (extra.length === 0) return ['run', '-c', quickstart]
  const [first] = extra
  if (!first.startsWith('-') || ['-h', '--help', '-V', '--version'].includes(first)) return extra
  const namesConfig = extra.some((word) => /^(-c|--config)/.test(word))
  return namesConfig ? ['run', ...extra] : ['run', '-c', quickstart, ...extra]
}

/** The application behind the quickstart, in this process: it ends with it. */
async function startDemo () {
  const port = 8081
  const { startUpstream } = await import(pathToFileURL(join(root, 'examples', 'quickstart', 'upstream.mjs')).href)
  const { handoverVariable } = await import(pathToFileURL(join(root, 'dist', 'proxy', 'lifecycle', 'handover.js')).href)
  // `sentinel upgrade`: the one of the process before this is there until that ends.
  if (process.env[handoverVariable] !== undefined) return startLater(() => startUpstream(port))
  try {
    await startUpstream(port)
  } catch (error) {
    throw new Unprepared(`The demo application cannot listen on 127.0.0.1:${port}: ${error.message}`)
  }
}

function startLater (start) {
  start().catch(() => setTimeout(startLater, 50, start).unref())
}

await runScript(async () => {
  await prepare({ build: true })
  const program = join(root, 'dist', 'proxy', 'main.js')
  if (!existsSync(program)) throw new Unprepared(`${program} is missing after the build.`)
  const argv = commandLine(process.argv.slice(2))
  if (argv[0] === 'run' && argv.includes(quickstart)) await startDemo()
  const { main } = await import(pathToFileURL(program).href)
  process.exit(await main(argv))
})
