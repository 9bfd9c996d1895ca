import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromDist } from '../../support/paths.ts'
import { startOnPort, type Running } from '../processes.ts'
import { Unfit } from '../unfit.ts'
import type { Contender, Setup } from './contender.ts'

export const sentinel: Contender = {
  id: 'sentinel',
  title: 'Sentinel',
  missing: undefined,
  version: '',
  compiles: true,
  start: (folder, setup, flags) => startSentinel(folder, setup, flags),
}

export const sentinelWithAgent: Contender = {
  id: 'sentinel-agent',
  title: 'Sentinel, asking one agent that allows',
  missing: undefined,
  version: '',
  compiles: true,
  start: (folder, setup, flags) => startSentinel(folder, setup, flags, agents(1, 'request_headers')),
}

export const sentinelWithAgents: Contender = {
  id: 'sentinel-agents-4',
  title: 'Sentinel, asking four agents one after the other',
  missing: undefined,
  version: '',
  compiles: true,
  start: (folder, setup, flags) => startSentinel(folder, setup, flags, agents(4, 'request_headers')),
}

export const sentinelUnasked: Contender = {
  id: 'sentinel-unasked',
  title: 'Sentinel, with an agent for bodies that are not there',
  missing: undefined,
  version: '',
  compiles: true,
  start: (folder, setup, flags) => startSentinel(folder, setup, flags, agents(1, 'request_body')),
}

function agents (count: number, event: string): string {
  const program = fromDist('test', 'bench', 'measured', event === 'request_body' ? 'pass-allow-agent.js' : 'allow-agent.js')
  return `
agents {
    ${Array.from({ length: count }, (_, i) => `agent "allow-${i}" {
        command "${process.execPath}" "${program}"
        events "${event}"
        timeout "1s"
        failure-mode "closed"
    }`).join('\n    ')}
}`
}

export const sentinelWithLimit: Contender = {
  id: 'sentinel-limit',
  title: 'Sentinel, counting each client\'s requests',
  missing: undefined,
  version: '',
  compiles: true,
  start: (folder, setup, flags) => startSentinel(folder, setup, flags, '', `policies {
            rate-limit { requests-per-second 10_000_000; burst 10_000_000; key "client-ip" }
        }`),
}

async function startSentinel (folder: string, setup: Setup, flags: readonly string[], agents = '', rules = ''): Promise<Running> {
  const running = await startOnPort({ measured: setup.workers }, folder, (port, metricsPort) => {
    const file = join(folder, 'sentinel.kdl')
    writeFileSync(file, configuration(folder, setup, port, metricsPort, agents, rules))
    return [process.execPath, ...flags, fromDist('proxy', 'main.js'), 'run', '-c', file]
  })
  const notBuilt = /^.*?line \d+: (.*not in effect yet.*)$/m.exec(running.output())?.[1]
  if (notBuilt === undefined) return running
  await running.stop()
  throw new Unfit(notBuilt)
}

function configuration (folder: string, { upstreamPort, certificate, websocket, workers, files }: Setup, port: number, metricsPort: number, agents: string, rules: string): string {
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
        ${rules}
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
${agents}
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
