// `npm test [-- part of a path …]`: prepares the checkout, gets the programs tests talk to, runs every test.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { prepare, root, runScript } from './prepare.mjs'
import { provideSystemPackages } from './system-packages.mjs'

await runScript(async () => {
  await prepare({ build: true })
  provideSystemPackages('test')
  const { main } = await import(pathToFileURL(join(root, 'dist', 'test', 'run.js')).href)
  return await main(process.argv.slice(2))
})
