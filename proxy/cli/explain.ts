import { jsonText } from '../observe/quote.ts'
import { valuesOf, type Command } from './command.ts'
import { configOption } from './config-file.ts'

export const explain: Command = {
  name: 'explain',
  doc: 'Tell what would become of a request: each route and why it does not take it, who is asked, and where the request goes. Nothing is sent.',
  arguments: 'METHOD URL',
  options: {
    config: configOption,
    header: { type: 'string', short: 'H', value: '"NAME: VALUE"', doc: 'A header field of the request.', multiple: true },
    'client-ip': { type: 'string', value: 'IP', doc: 'Where the request comes from; 127.0.0.1 without it.' },
    listener: { type: 'string', value: 'ID', doc: 'Where it comes in; found by scheme and port of the URL without it.' },
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  async run (shell, options, args) {
    const [method, url, ...more] = args
    if (method === undefined || url === undefined || more.length > 0) {
      shell.err('sentinel explain: a METHOD and a URL are needed, for instance: sentinel explain GET https://shop.example.com/cart\n')
      return 2
    }
    const { usableConfig } = await import('./usable-config.ts')
    const usable = await usableConfig('explain', shell, options)
    if (usable === undefined) return 1
    const { explanationOf } = await import('./explanation.ts')
    const { withhold } = await import('./withheld.ts')
    const facts = explanationOf({
      method, url, headers: valuesOf(options, 'header'), clientIp: valuesOf(options, 'client-ip')[0], listener: valuesOf(options, 'listener')[0],
    }, usable.config, shell.env)
    if (typeof facts === 'string') {
      shell.err(`sentinel explain: ${facts}.\n`)
      return 2
    }
    const { shownCertificate } = await import('./shown-certificate.ts')
    const certificate = facts.request === null ? null : await shownCertificate(facts.listener.id, facts.request.host, usable.config)
    const shown = withhold({ ...facts, certificate }, usable.secrets)
    if (options['json'] === true) {
      shell.out(`${jsonText(shown)}\n`)
      return 0
    }
    const { explainScreen } = await import('./explain-screen.ts')
    shell.out(explainScreen(shown, shell.cwd, shell.colour))
    return 0
  },
}
