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
  start: (folder, setup, flags) => startSentinel(folder, setup, flags, `
agents {
    agent "allow" {
        command "${process.execPath}" "${fromDist('test', 'bench', 'measured', 'allow-agent.js')}"
        events "request_headers"
        timeout "1s"
        failure-mode "closed"
    }
}`),
}

async function startSentinel (folder: string, setup: Setup, flags: readonly string[], agents = ''): Promise<Running> {
  const running = await startOnPort({ measured: setup.workers }, folder, (port, metricsPort) => {
    const file = join(folder, 'sentinel.kdl')
    writeFileSync(file, configuration(folder, setup, port, metricsPort, agents))
    return [process.execPath, ...flags, fromDist('proxy', 'main.js'), 'run', '-c', file]
  })
  const notBuilt = /^.*?line \d+: (.*not in effect yet.*)$/m.exec(running.output())?.[1]
  if (notBuilt === undefined) return running
  await running.stop()
  throw new Unfit(notBuilt)
}

function configuration (folder: string, { upstreamPort, certificate, websocket, workers, files }: Setup, port: number, metricsPort: number, agents: string): string {
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
