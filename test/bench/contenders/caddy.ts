import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasCommand, startOnPort, version } from '../processes.ts'
import type { Contender } from './contender.ts'

export const caddy: Contender = {
  id: 'caddy',
  title: 'Caddy',
  missing: hasCommand('caddy') ? undefined : 'Caddy is not installed',
  version: `Caddy ${version('caddy', 'version')}`,
  compiles: false,
  start: (folder, { upstreamPort, certificate, workers, files }) => startOnPort({ measured: workers }, folder, (port) => {
    const file = join(folder, 'Caddyfile')
    writeFileSync(file, `
{
  admin off
  auto_https disable_redirects
  servers {
    protocols h1 h2
  }
}
${certificate === undefined ? 'http' : 'https'}://:${port} {
  bind 127.0.0.1
  ${certificate === undefined ? '' : `tls ${certificate.cert} ${certificate.key}`}
  log {
    output file ${join(folder, 'access.log')} {
      roll_disabled
    }
  }
  ${files === undefined ? `reverse_proxy 127.0.0.1:${upstreamPort} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }` : `root * ${files}
  file_server`}
}
`)
    return ['caddy', 'run', '--config', file, '--adapter', 'caddyfile']
  }, { GOMAXPROCS: String(workers), HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }),
}
