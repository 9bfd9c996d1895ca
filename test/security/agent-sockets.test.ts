// Only this user talks to agents, and nobody's socket is taken from him.
import assert from 'node:assert/strict'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { bindSocket } from '../../sdk/server/socket.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

function folderOf (t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-sockets-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Listens on `path` until the test is over. */
function listenOn (t: TestContext, path: string): () => Promise<void> {
  const server = createServer()
  t.after(() => { server.close() })
  return () => new Promise((resolve, reject) => { server.once('error', reject).listen(path, resolve) })
}

test('the socket of a managed agent is its user\'s alone, in a folder of its user alone', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('scripted'), ['scripted']))
  const { scripted: pid } = sentinel.agentPids()
  const path = /SENTINEL_SOCKET=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, 'latin1'))![1]!
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700)
  await sentinel.stop()
  assert.equal(existsSync(path), false)
})

test('a folder that has to be made for a socket is made for this user alone', async (t) => {
  const path = join(folderOf(t), 'new', 'agent.sock')
  const umask = process.umask(0)
  try {
    await bindSocket(path, listenOn(t, path))
  } finally {
    process.umask(umask)
  }
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700)
})

test('a link where the socket should be is left alone, and what it points to as well', async (t) => {
  const folder = folderOf(t)
  const path = join(folder, 'agent.sock')
  writeFileSync(join(folder, 'precious'), 'data')
  symlinkSync(join(folder, 'precious'), path)
  await assert.rejects(bindSocket(path, listenOn(t, path)), /not a socket/)
  assert.equal(readlinkSync(path), join(folder, 'precious'))
  assert.equal(readFileSync(join(folder, 'precious'), 'utf8'), 'data')
})

test('a link to a socket of somebody else is not followed', async (t) => {
  const folder = folderOf(t)
  const theirs = join(folder, 'theirs.sock')
  await listenOn(t, theirs)()
  symlinkSync(theirs, join(folder, 'agent.sock'))
  await assert.rejects(bindSocket(join(folder, 'agent.sock'), listenOn(t, join(folder, 'agent.sock'))), /not a socket/)
  assert.ok(lstatSync(theirs).isSocket())
})

test('a dangling link does not make a socket elsewhere', async (t) => {
  const folder = folderOf(t)
  symlinkSync(join(folder, 'elsewhere.sock'), join(folder, 'agent.sock'))
  await assert.rejects(bindSocket(join(folder, 'agent.sock'), listenOn(t, join(folder, 'agent.sock'))))
  assert.equal(existsSync(join(folder, 'elsewhere.sock')), false)
})

test('a file or folder where the socket should be is left alone', async (t) => {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'file.sock'), 'data')
  mkdirSync(join(folder, 'folder.sock'))
  for (const name of ['file.sock', 'folder.sock']) await assert.rejects(bindSocket(join(folder, name), listenOn(t, join(folder, name))), /not a socket/)
})

test('a socket on which somebody answers is not taken over', async (t) => {
  const path = join(folderOf(t), 'agent.sock')
  await listenOn(t, path)()
  const before = statSync(path).ino
  await assert.rejects(bindSocket(path, listenOn(t, path)), /answers/)
  assert.equal(statSync(path).ino, before)
})

test('giving up a socket does not remove one that somebody else put in its place', async (t) => {
  const path = join(folderOf(t), 'agent.sock')
  const owned = await bindSocket(path, listenOn(t, path))
  rmSync(path)
  writeFileSync(path, 'somebody else')
  owned.remove()
  assert.equal(readFileSync(path, 'utf8'), 'somebody else')
})
