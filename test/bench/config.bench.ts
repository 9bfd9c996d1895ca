import { parse } from '@bgotink/kdl'
import { checkText } from '../../config/sentinel/index.ts'
import { routerEntries } from '../../proxy/lifecycle/route-plan.ts'
import { compileRouter } from '../../proxy/routing/router.ts'

/**
 * What it costs to read, check and compile 5 000 routes, beside what the KDL parser alone takes for the same text: as it is, and with the places
 * that messages need. Measured in turns; milliseconds and ratios, smallest, median and largest.
 */
const routes = 5_000
const rounds = 15

function site (): string {
  const upstreams = Array.from({ length: 100 }, (_, i) => `    upstream "app-${i}" { target "10.0.0.${i}:8080"; target "10.0.1.${i}:8080" weight=2 }\n`)
  const each = Array.from({ length: routes }, (_, i) => `    route "route-${i}" {
        priority ${i % 7}
        matches {
            host "h${i % 500}.example.com"
            path-prefix "/api/v1/service-${i}"
            method "GET" "POST"
        }
        upstream "app-${i % 100}"
    }
`)
  return `listeners { listener "web" { address "127.0.0.1:0" } }\nupstreams {\n${upstreams.join('')}}\nroutes {\n${each.join('')}}\n`
}

function everything (text: string): void {
  const { config } = checkText(text, 'sentinel.kdl', { env: {} })
  if (config === undefined) throw new Error('the configuration of the bench has errors')
  compileRouter(routerEntries({ namespace: undefined }, config, (route) => route.id))
}

function timed (what: () => void): number {
  const started = performance.now()
  what()
  return performance.now() - started
}

function spread (values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b)
  return [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!].map((value) => value.toFixed(digits)).join(' / ')
}

const text = site()
const times = { parser: [] as number[], withPlaces: [] as number[], all: [] as number[] }
for (let round = -3; round < rounds; round++) {
  const parser = timed(() => void parse(text))
  const withPlaces = timed(() => void parse(text, { storeLocations: true }))
  const all = timed(() => everything(text))
  // The first rounds warm up.
  if (round < 0) continue
  times.parser.push(parser)
  times.withPlaces.push(withPlaces)
  times.all.push(all)
}
process.stdout.write(`${routes} routes, ${text.length} characters, ${rounds} rounds: smallest / median / largest
parser alone                       ${spread(times.parser, 0)} ms
parser alone, with places          ${spread(times.withPlaces, 0)} ms
read, checked and compiled         ${spread(times.all, 0)} ms
  beside the parser                ${spread(times.all.map((all, i) => all / times.parser[i]!), 2)}
  beside the parser with places    ${spread(times.all.map((all, i) => all / times.withPlaces[i]!), 2)}
`)
