import { startProxy } from './proxy.ts'

/** `proxy-process.js <target port>`: tells its port, then the largest growth of its memory whenever it is asked. */
const { port } = await startProxy(undefined, { targets: [Number(process.argv[2])] })
const before = process.memoryUsage.rss()
let peak = before
setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()) }, 20)
process.on('message', () => { process.send?.({ growth: peak - before }) })
process.on('disconnect', () => process.exit())
process.send?.({ port })
