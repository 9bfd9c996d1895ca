import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromDist } from '../support/paths.ts'
import { freePort, hasCommand, listening, start, type Core, type Started } from './processes.ts'

/** A program that proxies to the upstream, ready to be measured. */
export interface Running extends Started {
  readonly port: number
}

export interface Contender {
  readonly id: string
  readonly title: string
  /** Why it cannot take part here. */
  readonly missing: string | undefined
  readonly version: string
  /** Starts it with files of its own in `folder`, which exists; `flags` are Node's, for what runs in Node. */
  start (folder: string, upstreamPort: number, flags?: readonly string[]): Promise<Running>
}

const user = process.getuid?.() === 0 ? 'user root;' : ''

export const contenders: readonly Contender[] = [
  {
    id: 'nginx',
    title: 'nginx, one worker, access log to a file',
    missing: hasCommand('nginx') ? undefined : 'nginx is not installed',
    version: version('nginx', ['-v']),
    start: (folder, upstreamPort) => startOnPort('measured', folder, (port) => {
      const file = join(folder, 'nginx.conf')
      writeFileSync(file, nginx(folder, `
        access_log ${folder}/access.log;
        upstream origin { server 127.0.0.1:${upstreamPort}; keepalive 64; keepalive_requests 100000000; }
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
          }
        }`))
      return ['nginx', '-p', folder, '-c', file]
    })
  },
  {
    id: 'haproxy',
    title: 'HAProxy, one thread, access log to a file',
    missing: hasCommand('haproxy') ? undefined : 'HAProxy is not installed',
    version: version('haproxy', ['-v']),
    start: (folder, upstreamPort) => startOnPort('measured', folder, (port) => {
      const file = join(folder, 'haproxy.cfg')
      writeFileSync(file, `${[
        'global', '  nbthread 1', '  maxconn 2000', '  log stdout format raw local0',
        'defaults', '  mode http', '  log global', '  option httplog', '  option forwardfor', '  http-reuse always',
        '  timeout connect 5s', '  timeout client 60s', '  timeout server 60s',
        'frontend web', `  bind 127.0.0.1:${port}`, '  default_backend origin',
        'backend origin', `  server one 127.0.0.1:${upstreamPort}`
      ].join('\n')}\n`)
      return ['haproxy', '-f', file]
    })
  },
  {
    id: 'byte-copy',
    title: 'bytes copied by Node without looking (the floor)',
    missing: undefined,
    version: process.version,
    start: (folder, upstreamPort, flags = []) => startOnPort('measured', folder, (port) => {
      return [process.execPath, ...flags, fromDist('test', 'bench', 'byte-copy.js'), String(port), String(upstreamPort)]
    })
  },
  {
    id: 'sentinel',
    title: 'Sentinel, plain proxying, access log to a file, metrics on',
    missing: undefined,
    version: process.version,
    start: (folder, upstreamPort, flags) => startSentinel(folder, upstreamPort, '', flags)
  },
  {
    id: 'sentinel-agent',
    title: 'Sentinel, asking one agent that allows',
    missing: undefined,
    version: process.version,
    start: (folder, upstreamPort, flags) => startSentinel(folder, upstreamPort, `
agents {
    agent "allow" {
        command "${process.execPath}" "${fromDist('test', 'bench', 'allow-agent.js')}"
        events "request_headers"
        timeout "1s"
        failure-mode "closed"
    }
}
`, flags)
  }
]

/** What tells an agent's process from the proxy's. */
export function isAgent (commandLine: string): boolean {
  return commandLine.includes('allow-agent')
}

/** Answers 100 bytes to everything: nginx when it is there, because it leaves the second core to the load. */
export function startUpstream (folder: string): Promise<Running> {
  return startOnPort('other', folder, (port) => {
    if (!hasCommand('nginx')) return [process.execPath, fromDist('test', 'bench', 'upstream.js'), String(port)]
    const file = join(folder, 'upstream.conf')
    writeFileSync(file, nginx(folder, `
        access_log off;
        default_type text/plain;
        server { listen 127.0.0.1:${port}; location / { return 200 "${'x'.repeat(100)}"; } }`))
    return ['nginx', '-p', folder, '-c', file]
  })
}

function startSentinel (folder: string, upstreamPort: number, agents: string, flags: readonly string[] = []): Promise<Running> {
  return startOnPort('measured', folder, (port, metricsPort) => {
    const file = join(folder, 'sentinel.kdl')
    writeFileSync(file, `
listeners {
    listener "web" {
        address "127.0.0.1:${port}"
    }
}
routes {
    route "all" {
        matches {
            path-prefix "/"
        }
        upstream "origin"
    }
}
upstreams {
    upstream "origin" {
        target "127.0.0.1:${upstreamPort}"
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
`)
    return [process.execPath, ...flags, fromDist('proxy', 'main.js'), 'run', '-c', file]
  })
}

function nginx (folder: string, http: string): string {
  mkdirSync(join(folder, 'temp'), { recursive: true })
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/temp/${name};`)
  return `
      ${user}
      daemon off;
      worker_processes 1;
      pid ${folder}/nginx.pid;
      error_log stderr warn;
      events { worker_connections 2048; }
      http {
        ${temps.join('\n        ')}
        keepalive_requests 100000000;
        ${http}
      }
`
}

async function startOnPort (core: Core, folder: string, command: (port: number, second: number) => string[]): Promise<Running> {
  const port = await freePort()
  const started = start(command(port, await freePort()), core, folder)
  try {
    await listening(port, started)
  } catch (error) {
    await started.stop()
    throw error
  }
  return { ...started, port }
}

function version (command: string, args: string[]): string {
  if (!hasCommand(command)) return ''
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return /\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0] ?? ''
}
