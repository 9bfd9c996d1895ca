import { jsonText } from '../observe/quote.ts'
import type { Command } from './command.ts'
import { configOption } from './config-file.ts'

export const routes: Command = {
  name: 'routes',
  doc: 'List the routes in the order in which they are asked: conditions, agents, upstream, place in the file.',
  options: { config: configOption, json: { type: 'boolean', doc: 'As JSON.' } },
  async run (shell, options) {
    const { usableConfig } = await import('./usable-config.ts')
    const usable = await usableConfig('routes', shell, options)
    if (usable === undefined) return 1
    const { routeList, routesScreen } = await import('./route-list.ts')
    const { withhold } = await import('./withheld.ts')
    const list = withhold(routeList(usable.config), usable.secrets)
    shell.out(options['json'] === true ? `${jsonText({ routes: list })}\n` : routesScreen(list, shell.cwd, shell.colour))
    return 0
  },
}
