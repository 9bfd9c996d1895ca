// Makes a checkout runnable: packages installed, sources built. Plain JavaScript without packages, because it runs before there are any.
// What is already right is left alone, so the second run costs a directory walk.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const dist = join(root, 'dist')
const installStamp = join(root, 'node_modules', '.sentinel-installed')
const buildStamp = join(dist, '.built')
const lockFile = join(dist, '.prepare.lock')
const oldestNode = [20, 19]

/** Something a person has to put right; the message is all they need, no stack. */
export class Unprepared extends Error {}

/**
 * Installs what package-lock.json names and builds dist/, each only when needed. Safe to call from several processes at once:
 * the others wait. Throws `Unprepared` with a sentence when it cannot.
 */
export async function prepare ({ build = true } = {}) {
  checkNode()
  mkdirSync(dist, { recursive: true })
  const unlock = await lock()
  try {
    await install()
    if (build) compile()
  } finally {
    unlock()
  }
}

/** For the scripts of this folder: runs `task`, prints an `Unprepared` as a sentence and anything else with its stack. */
export async function runScript (task) {
  try {
    process.exitCode = await task() ?? 0
  } catch (error) {
    process.stderr.write(`\n${error instanceof Unprepared ? error.message : error.stack}\n`)
    process.exitCode = 1
  }
}

function checkNode () {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return
  throw new Unprepared(`Sentinel needs Node.js ${oldestNode.join('.')} or newer; this is ${process.versions.node} (${process.execPath}).`)
}

// --- packages ---

async function install () {
  const wanted = fingerprintOfPackages()
  if (readText(installStamp) === wanted) return
  if (!sameAsLock() || !nativePackagesLoad()) {
    await runNpm()
    if (!nativePackagesLoad()) throw new Unprepared(explainNativeFailure())
  }
  writeFileSync(installStamp, wanted)
}

/** Changes with the lock file, and with anything that makes a compiled package unusable. */
function fingerprintOfPackages () {
  const lockText = readText(join(root, 'package-lock.json')) ?? readText(join(root, 'package.json')) ?? ''
  return sha256([lockText, process.versions.modules, process.platform, process.arch].join('\n'))
}

/** Somebody ran npm by hand and node_modules is what the lock file says: nothing to do. */
function sameAsLock () {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages
  const present = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages
  if (wanted === undefined || present === undefined) return false
  for (const [path, entry] of Object.entries(wanted)) {
    // Optional packages of other platforms are in the lock file and not on the disk.
    if (path === '' || (entry.optional && present[path] === undefined)) continue
    if (present[path]?.version !== entry.version || !existsSync(join(root, path))) return false
  }
  return Object.keys(present).every((path) => wanted[path] !== undefined)
}

async function runNpm () {
  const command = existsSync(join(root, 'package-lock.json')) ? 'ci' : 'install'
  say(`Installing packages (npm ${command}). The regular expression engine re2 may be compiled here: one to two minutes, once.`)
  const started = performance.now()
  // Started by npm: use that npm, whatever PATH says.
  const { npm_execpath: npmScript } = process.env
  const [program, ...before] = npmScript?.endsWith('.js') ? [process.execPath, npmScript] : ['npm']
  const flags = [command, '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const child = spawn(program, [...before, ...flags], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  const progress = setInterval(() => say(`  still installing (${seconds(started)})`), 20_000)
  const [status, error] = await new Promise((resolve) => {
    child.on('error', (reason) => resolve([1, reason]))
    child.on('close', (code, signal) => resolve([code ?? signal]))
  })
  clearInterval(progress)
  if (error?.code === 'ENOENT') throw new Unprepared('npm was not found. Install npm beside Node.js and try again.')
  if (status !== 0) throw new Unprepared(missingBuildTools() ?? `npm ${command} failed (${error?.message ?? `exit ${status}`}). What it printed above says why.`)
  say(`Packages installed in ${seconds(started)}.`)
}

function nativePackagesLoad () {
  if (!existsSync(join(root, 'node_modules'))) return false
  try {
    createRequire(join(root, 'package.json')).resolve('re2')
  } catch {
    return false
  }
  // In a child: a native module built for another Node can end the process that loads it.
  return spawnSync(process.execPath, ['-e', 'new (require("re2"))("a")'], { cwd: root, stdio: 'ignore' }).status === 0
}

function explainNativeFailure () {
  return missingBuildTools() ?? [
    'The package re2 is installed but does not load: its install script did not run or did not finish.',
    'Try: npm rebuild re2 --foreground-scripts'
  ].join('\n')
}

function missingBuildTools () {
  const missing = []
  if (!['c++', 'g++', 'clang++'].some(isCommand)) missing.push('a C++ compiler (g++ or clang++)')
  if (!['make', 'gmake'].some(isCommand)) missing.push('make')
  if (!['python3', 'python'].some(isCommand)) missing.push('python3')
  if (missing.length === 0) return undefined
  return [
    `The package re2 is built from source on this machine and needs ${missing.join(', ')}.`,
    'On Debian and Ubuntu: apt-get install build-essential python3. On macOS: xcode-select --install. Then run the same command again.'
  ].join('\n')
}

/** Whether PATH has it. */
export function isCommand (name) {
  return (process.env.PATH ?? '').split(':').concat('/usr/sbin', '/sbin').some((folder) => folder !== '' && existsSync(join(folder, name)))
}

// --- build ---

const sourceFolders = ['config', 'proto', 'proxy', 'sdk', 'agents', 'examples', 'test']

function compile () {
  const everything = sourceFiles()
  const wanted = fingerprintOfSources(everything)
  const sources = everything.filter((file) => !file.endsWith('.d.ts'))
  const missing = sources.some((file) => !existsSync(outputOf(file)))
  if (!missing && readText(buildStamp) === wanted) return
  // tsc believes its own record of what it wrote; when outputs are gone the record is wrong.
  if (missing && existsSync(buildStamp)) rmSync(join(dist, '.tsbuildinfo'), { force: true })
  rmSync(buildStamp, { force: true })
  removeStaleOutputs(new Set(sources))
  say('Building.')
  const started = performance.now()
  runTsc()
  if (sources.some((file) => !existsSync(outputOf(file)))) {
    rmSync(join(dist, '.tsbuildinfo'), { force: true })
    runTsc()
  }
  // Written last, from the state before: a source saved while tsc ran makes the next run build again.
  writeFileSync(buildStamp, wanted)
  say(`Built in ${seconds(started)}.`)
}

function runTsc () {
  const result = spawnSync(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (result.status !== 0) throw new Unprepared('The build failed: the errors are above.')
}

/** Relative paths of every TypeScript file, sorted. */
function sourceFiles () {
  return sourceFolders.flatMap((folder) => walk(folder)).filter((file) => file.endsWith('.ts')).sort()
}

function walk (folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : walk(path)
    return [path]
  })
}

function fingerprintOfSources (sources) {
  const rows = ['tsconfig.json', 'package-lock.json', ...sources].map((file) => {
    const found = statSync(join(root, file), { throwIfNoEntry: false })
    return `${file} ${found?.size} ${found?.mtimeMs}`
  })
  return sha256(rows.join('\n'))
}

function outputOf (source) {
  return join(dist, source.replace(/\.ts$/, '.js'))
}

/** A test whose source was deleted must not go on running, and a module that is gone must not be importable. */
function removeStaleOutputs (sources) {
  for (const file of walk('dist')) {
    const path = file.slice(`dist${sep}`.length)
    const stem = /^(.*?)(\.js|\.js\.map|\.d\.ts)$/.exec(path)?.[1]
    if (stem === undefined || sources.has(`${stem}.ts`) || existsSync(join(root, `${stem}.js`))) continue
    rmSync(join(root, file), { force: true })
  }
}

// --- one at a time ---

/** Waits until no other process prepares this checkout. The lock is linked into place whole, so a reader never sees half of it. */
async function lock () {
  const mine = `${lockFile}.${process.pid}`
  writeFileSync(mine, String(process.pid))
  let told = false
  for (;;) {
    try {
      linkSync(mine, lockFile)
      rmSync(mine, { force: true })
      return () => rmSync(lockFile, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = readText(lockFile)
    if (holder !== undefined && !isAlive(Number(holder))) takeAway(holder)
    else {
      if (!told) say(`Waiting for process ${holder}, which prepares this folder too.`)
      told = true
      await delay(200)
    }
  }
}

/** Removes the lock of a process that died; puts it back when another process was quicker and the lock is a living one's. */
function takeAway (deadHolder) {
  const aside = `${lockFile}.dead.${process.pid}`
  try {
    renameSync(lockFile, aside)
    if (readText(aside) !== deadHolder) linkSync(aside, lockFile)
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  }
  rmSync(aside, { force: true })
}

function isAlive (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

// --- small things ---

function readText (file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

function readJson (file) {
  const text = readText(file)
  return text === undefined ? undefined : JSON.parse(text)
}

function sha256 (text) {
  return createHash('sha256').update(text).digest('hex')
}

function seconds (started) {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`
}

function say (line) {
  process.stderr.write(`${line}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runScript(() => prepare({ build: !process.argv.includes('--packages') }))
