import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromDist } from '../../support/paths.ts'
import { body, sizes } from '../body.ts'
import { nginxCommand } from '../contenders/nginx.ts'
import { hasCommand, startOnPort, type Running } from '../processes.ts'
import { Unfit } from '../unfit.ts'

export type UpstreamId = 'answers' | 'uploads' | 'events' | 'echo'

const program = (name: string) => (folder: string): Promise<Running> => {
  return startOnPort('other', folder, (port) => [process.execPath, fromDist('test', 'bench', 'upstreams', `${name}.js`), String(port)])
}

/** What stands behind the proxies, on the core of the load. */
export const upstreams: Readonly<Record<UpstreamId, (folder: string) => Promise<Running>>> = {
  answers: startAnswers,
  uploads: program('uploads'),
  events: program('events'),
  echo: program('echo'),
}

/** `/100b`, `/10k` and `/1m`, by nginx, because it leaves most of the core to the load. */
function startAnswers (folder: string): Promise<Running> {
  if (!hasCommand('nginx')) throw new Unfit('nginx, the upstream, is not installed')
  const files = join(folder, 'files')
  mkdirSync(files, { recursive: true })
  for (const [name, bytes] of Object.entries(sizes)) writeFileSync(join(files, name), body(bytes))
  return startOnPort('other', folder, (port) => nginxCommand(folder, `
    access_log off;
    default_type text/plain;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16;
    server {
      listen 127.0.0.1:${port} backlog=4096;
      root ${files};
      location = /100b { return 200 "${body(sizes['100b']).toString('latin1')}"; }
    }`))
}
