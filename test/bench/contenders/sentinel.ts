import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromDist } from '../../support/paths.ts'
import { startOnPort, type Running } from '../processes.ts'
import { Unfit } from '../unfit.ts'
import type { Contender, Setup } from './contender.ts'

/** More of the file: blocks beside the others, and settings of the only route. */
interface More {
  readonly blocks?: string
  readonly route?: string
}

function contender (id: string, title: string, more: More = {}): Contender {
  return { id, title, missing: undefined, version: '', compiles: true, start: (folder, setup, flags) => startSentinel(folder, setup, flags, more) }
}

function agents (count: number, event: string): string {
  const program = fromDist('test', 'bench', 'measured', event === 'request_body' ? 'pass-allow-agent.js' : 'allow-agent.js')
  return `
agents {
    ${Array.from({ length: count }, (_, i) => `agent "allow-${i}" {
        command "${process.execPath}" "${program}"
        events "${event}"
        timeout "60s"
        failure-mode "closed"
    }`).join('\n    ')}
}`
}

export const sentinel = contender('sentinel', 'Sentinel')
export const sentinelWithAgent = contender('sentinel-agent', 'Sentinel, asking one agent that allows', { blocks: agents(1, 'request_headers') })
export const sentinelWithAgents = contender('sentinel-agents-4', 'Sentinel, asking four agents one after the other', { blocks: agents(4, 'request_headers') })
export const sentinelUnasked = contender('sentinel-unasked', 'Sentinel, with an agent for bodies that are not there', { blocks: agents(1, 'request_body') })
export const sentinelWithLimit = contender('sentinel-limit', 'Sentinel, counting each client\'s requests', {
  route: 'policies { rate-limit { requests-per-second 10_000_000; burst 10_000_000; key "client-ip" } }',
})

async function startSentinel (folder: string, setup: Setup, flags: readonly string[], more: More): Promise<Running> {
  const running = await startOnPort({ measured: setup.workers }, folder, (port, metricsPort) => {
    const file = join(folder, 'sentinel.kdl')
    writeFileSync(file, configuration(folder, setup, port, metricsPort, more))
    return [process.execPath, ...flags, fromDist('proxy', 'main.js'), 'run', '-c', file]
  })
  const notBuilt = /^.*?line \d+: (.*not in effect yet.*)$/m.exec(running.output())?.[1]
  if (notBuilt === undefined) return running
  await running.stop()
  throw new Unfit(notBuilt)
}

function configuration (folder: string, { upstreamPort, certificate, websocket, workers, files }: Setup, port: number, metricsPort: number, { blocks = '', route = '' }: More): string {
  return `
system {
    worker-threads ${workers}
}
limits {
    max-total-connections 20000
}
listeners {
    listener "web" {
        address "127.0.0.1:${port}"
        ${certificate === undefined ? '' : `tls { cert-file "${certificate.cert}"; key-file "${certificate.key}" }`}
    }
}
routes {
    route "all" {
        matches {
            path-prefix "/"
        }
        ${websocket ? 'websocket #true' : ''}
        ${files === undefined ? 'upstream "origin"' : `static-files { root "${files}" }`}
        ${route}
    }
}
upstreams {
    upstream "origin" {
        target "127.0.0.1:${upstreamPort}"
        connection-pool {
            max-connections 10000
        }
    }
}
${blocks}
observability {
    access-log {
        file "${join(folder, 'access.log')}"
    }
    metrics {
        address "127.0.0.1:${metricsPort}"
    }
}
`
}
