import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { deadPort } from './upstream.ts'
import { eventually } from './eventually.ts'

/** Whether a program of the distribution is here; a test that needs it says that it is skipped when not. */
export function isInstalled (command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`], { env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } }).status === 0
}

export interface Neighbour {
  readonly port: number
}

/** HAProxy on a port of its own, which `config` gets; stopped after the test. */
export function startHaproxy (t: TestContext, config: (port: number) => string): Promise<Neighbour> {
  return startNeighbour(t, (port, folder) => {
    writeFileSync(join(folder, 'haproxy.cfg'), `global
  maxconn 200
defaults
  timeout connect 60s
  timeout client 60s
  timeout server 60s
${config(port)}
`)
    return spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], programOptions)
  })
}

/** nginx on a port of its own; `server` is what stands in a `server` block. */
export function startNginx (t: TestContext, server: (port: number) => string): Promise<Neighbour> {
  return startNeighbour(t, (port, folder) => {
    writeFileSync(join(folder, 'nginx.conf'), `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events { worker_connections 128; }
http {
  access_log off; client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c; uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server { ${server(port)} }
}
`)
    return spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder], programOptions)
  })
}

const programOptions = { stdio: 'ignore', env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } } as const

async function startNeighbour (t: TestContext, start: (port: number, folder: string) => ChildProcess): Promise<Neighbour> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-neighbour-'))
  const port = await deadPort()
  const child = start(port, folder)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  await eventually(`the neighbour listens on ${port}`, () => {
    assert.equal(child.exitCode, null, `the neighbour did not get to listen on ${port}`)
    return answers(port)
  })
  return { port }
}

function answers (port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}
