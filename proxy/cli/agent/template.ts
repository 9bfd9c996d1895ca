import { packageFile } from '../../lifecycle/package-file.ts'

export interface TemplateOptions {
  readonly name: string
  /** In JavaScript: types are in comments at the most. */
  readonly js: boolean
}

/** Files of a new agent, by name. What they name of this installation is found by the absolute path of its package. */
export function templateFiles ({ name, js }: TemplateOptions): ReadonlyMap<string, string> {
  const extension = js ? 'js' : 'ts'
  return new Map([
    [`agent.${extension}`, agentFile(name)],
    [`agent.test.${extension}`, testFile(extension)],
    ['package.json', packageText(name)],
    ['tsconfig.json', tsconfig(js)],
    ['README.md', readme(name, extension)],
    ['.gitignore', 'node_modules/\n'],
  ])
}

function agentFile (name: string): string {
  return `import { block, defineAgent, list, setting, text } from 'sentinel/sdk'

/** Tells the application which country a request comes from, and refuses countries that are not wanted. */
export default defineAgent({
  name: '${name}',
  version: '0.1.0',

  // What an operator may set in the \`config\` block. Anything else there is an error with file and line.
  config: {
    country: setting(text, 'CH', 'Country of addresses that nobody knows.'),
    header: setting(text, 'cf-ipcountry', 'Header in which the network in front of the proxy names the country.'),
    blocked: list(text, [], 'Countries that are refused.'),
  },

  // Facts that only this agent may state: the proxy removes what clients send under these names.
  setsHeaders: ['x-country'],

  onRequest (request, { config, attributes }) {
    const country = (request.headers.get(config.header) ?? config.country).toUpperCase()
    attributes.set('country', country)
    if (config.blocked.includes(country)) {
      return block(451, { body: { error: 'not available in your country' }, audit: { reason: 'country_blocked' } })
    }
    // Nothing returned: the request goes on, with this header.
    request.headers.set('x-country', country)
    return undefined
  },
})
`
}

function testFile (extension: string): string {
  return `import test from 'node:test'
import { expectVerdict, testAgent } from 'sentinel/sdk/testing'
import agent from './agent.${extension}'

test('the application learns the country', async () => {
  const tested = await testAgent(agent)
  const verdict = await tested.request('GET', '/', { headers: { 'cf-ipcountry': 'de' } })
  expectVerdict(verdict, { kind: 'allow', requestHeaders: { 'x-country': 'DE' }, attributes: { country: 'DE' } })
})

test('without a word about it the configured country counts', async () => {
  const tested = await testAgent(agent, { config: { country: 'FR' } })
  expectVerdict(await tested.request('GET', '/'), { requestHeaders: { 'x-country': 'FR' } })
})

test('a blocked country is refused, and the log says why', async () => {
  const tested = await testAgent(agent, { config: { blocked: ['DE', 'FR'] } })
  const verdict = await tested.request('GET', '/', { headers: { 'cf-ipcountry': 'fr' } })
  expectVerdict(verdict, { kind: 'block', status: 451, reason: 'country_blocked' })
})
`
}

function packageText (name: string): string {
  return JSON.stringify({
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19.0' },
    scripts: { dev: 'sentinel agent dev', test: 'sentinel agent test', start: `sentinel agent run --socket ./${name}.sock` },
    dependencies: { sentinel: `file:${packageFile()}` },
  }, undefined, 2) + '\n'
}

/** For editors and `tsc --noEmit`: nothing is built. */
function tsconfig (js: boolean): string {
  return JSON.stringify({
    compilerOptions: {
      target: 'es2023',
      module: 'nodenext',
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      // The compiler has looked for none by itself since version 6.
      types: ['node'],
      // What taking away the types leaves is what runs.
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      allowImportingTsExtensions: true,
      ...js ? { allowJs: true, checkJs: true } : {},
    },
  }, undefined, 2) + '\n'
}

function readme (name: string, extension: string): string {
  return `# ${name}

An agent of Sentinel: it tells the application which country a request comes from (\`x-country\`), and refuses countries that are not wanted.

\`\`\`sh
npm install          # once: makes the command sentinel and the SDK known in this folder
npm run dev          # the agent behind a proxy of its own; what you save counts for the next request
npm test             # agent.test.${extension}, and again after each change with: npm test -- --watch
npm start            # the agent alone, on a socket in this folder
\`\`\`

Where \`sentinel\` is installed for everybody, \`sentinel agent dev\` and \`sentinel agent test\` work here without \`npm install\`.

- \`sentinel agent dev --config country=FR --upstream http://127.0.0.1:3000\`: other settings, an application of yours in place of the echo.
- \`sentinel agent dev --inspect\`: breakpoints; requests wait for as long as you look.
- \`sentinel agent install\`: the block for \`sentinel.kdl\`, with every setting, and a unit for systemd.

Editors check the types once \`npm install --save-dev typescript @types/node\` was run. The guide to handlers, decisions and bodies is \`node_modules/sentinel/sdk/README.md\`.
`
}
