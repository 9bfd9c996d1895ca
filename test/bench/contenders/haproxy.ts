import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasCommand, startOnPort, version, type Running } from '../processes.ts'
import { beside } from './beside.ts'
import type { Contender, Setup } from './contender.ts'

const missing = hasCommand('haproxy') ? undefined : 'HAProxy is not installed'

export const haproxy: Contender = {
  id: 'haproxy',
  title: 'HAProxy',
  missing,
  version: `HAProxy ${version('haproxy', '-v')}`,
  compiles: false,
  start: (folder, setup) => startHaproxy(folder, setup),
}

export const haproxyAsking: Contender = {
  id: 'haproxy-asking',
  title: 'HAProxy, SPOE with an agent in Node that allows',
  missing,
  version: '',
  compiles: false,
  start: (folder, setup) => beside(folder, 'spoe-agent', (socket) => startHaproxy(folder, setup, socket)),
}

/** @param asked Socket of an SPOE agent that allows or refuses. */
function startHaproxy (folder: string, { upstreamPort, certificate, streaming, workers }: Setup, asked?: string): Promise<Running> {
  return startOnPort({ measured: workers }, folder, (port) => {
    const file = join(folder, 'haproxy.cfg')
    const secure = certificate === undefined ? '' : ` ssl crt ${certificate.both} alpn h2,http/1.1`
    writeFileSync(file, `
global
  nbthread ${workers}
  # It reckons with two sockets for each connection; idle ones have one.
  no strict-limits
  maxconn 11000
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option forwardfor
  ${streaming ? 'option http-no-delay' : ''}
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
frontend web
  bind 127.0.0.1:${port}${secure}
  ${asked === undefined ? '' : `filter spoe engine bench config ${spoeFile(folder)}
  http-request deny unless { var(txn.bench.allow) -m bool }`}
  http-request set-header X-Forwarded-Proto ${certificate === undefined ? 'http' : 'https'}
  default_backend origin
backend origin
  server one 127.0.0.1:${upstreamPort}
${asked === undefined ? '' : `backend asked
  mode tcp
  server agent unix@${asked}`}
`)
    return ['haproxy', '-f', file]
  })
}

function spoeFile (folder: string): string {
  const file = join(folder, 'spoe.cfg')
  writeFileSync(file, `[bench]
spoe-agent bench
  messages ask
  option var-prefix bench
  timeout hello 2s
  timeout idle 10m
  timeout processing 2s
  use-backend asked
spoe-message ask
  args method=method path=path headers=req.hdrs client=src
  event on-frontend-http-request
`)
  return file
}
