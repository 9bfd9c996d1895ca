import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasCommand, startOnPort, version, type Running } from '../processes.ts'
import { beside } from './beside.ts'
import type { Contender, Setup } from './contender.ts'

const user = process.getuid?.() === 0 ? 'user root;' : ''

const missing = hasCommand('nginx') ? undefined : 'nginx is not installed'

export const nginx: Contender = {
  id: 'nginx',
  title: 'nginx',
  missing,
  version: `nginx ${version('nginx', '-v')}`,
  compiles: false,
  start: (folder, setup) => startNginx(folder, setup),
}

export const nginxAsking: Contender = {
  id: 'nginx-asking',
  title: 'nginx, `auth_request` to a `node:http` server that allows',
  missing,
  version: '',
  compiles: false,
  start: (folder, setup) => beside(folder, 'auth-server', (socket) => startNginx(folder, setup, socket)),
}

/** @param asked Socket of a server that allows or refuses. */
function startNginx (folder: string, { upstreamPort, certificate, websocket, workers, files }: Setup, asked?: string): Promise<Running> {
  return startOnPort({ measured: workers }, folder, (port) => nginxCommand(folder, `
    access_log ${folder}/access.log;
    upstream origin { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
    ${asked === undefined ? '' : `upstream asked { server unix:${asked}; keepalive 256; keepalive_requests 100000000; }`}
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    server {
      listen 127.0.0.1:${port}${certificate === undefined ? '' : ' ssl http2'};
      ${certificate === undefined ? '' : `ssl_certificate ${certificate.cert}; ssl_certificate_key ${certificate.key}; ssl_session_cache shared:tls:10m;`}
      ${files === undefined ? '' : `root ${files}; sendfile on;`}
      ${asked === undefined ? '' : `location = /asked {
        internal;
        proxy_pass http://asked;
        proxy_http_version 1.1;
        proxy_pass_request_body off;
        proxy_set_header Connection "";
        proxy_set_header Content-Length "";
        proxy_set_header X-Original-URI $request_uri;
      }`}
      location / {
        ${asked === undefined ? '' : 'auth_request /asked;'}
        ${files === undefined ? `proxy_pass http://origin;
        proxy_http_version 1.1;
        ${websocket ? 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;' : 'proxy_set_header Connection "";'}
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;` : ''}
      }
    }`, workers))
}

/** Writes a configuration that keeps to `folder`, and returns the command line. */
export function nginxCommand (folder: string, http: string, workers = 1): string[] {
  mkdirSync(join(folder, 'temp'), { recursive: true })
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/temp/${name};`)
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, `
${user}
daemon off;
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 20000; }
http {
  ${temps.join('\n  ')}
  keepalive_requests 100000000;
  ${http}
}
`)
  return ['nginx', '-p', folder, '-c', file]
}
