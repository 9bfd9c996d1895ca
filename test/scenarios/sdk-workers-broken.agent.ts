// An agent whose module cannot be loaded a second time; sdk-workers.test.ts starts it.
import { isMainThread } from 'node:worker_threads'
import { defineAgent, serve } from 'sentinel/sdk'

if (!isMainThread) throw new Error('this works only in the main thread')
await serve(defineAgent({ name: 'broken', workers: 2, onRequest () {} }))
