import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasCommand, startOnPort, version } from '../processes.ts'
import type { Contender } from './contender.ts'

export const haproxy: Contender = {
  id: 'haproxy',
  title: 'HAProxy',
  missing: hasCommand('haproxy') ? undefined : 'HAProxy is not installed',
  version: `HAProxy ${version('haproxy', '-v')}`,
  compiles: false,
  start: (folder, { upstreamPort, certificate, streaming, workers }) => startOnPort({ measured: workers }, folder, (port) => {
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
  http-request set-header X-Forwarded-Proto ${certificate === undefined ? 'http' : 'https'}
  default_backend origin
backend origin
  server one 127.0.0.1:${upstreamPort}
`)
    return ['haproxy', '-f', file]
  }),
}
