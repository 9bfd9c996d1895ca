// An agent that takes its time over each piece of a request body.
import { defineAgent, pass, serve } from 'sentinel/sdk'

void serve(defineAgent({
  name: 'slow-pieces',
  version: '1.0.0',
  requestBody: 'stream',
  async onRequestChunk () {
    await new Promise((resolve) => { setTimeout(resolve, 500) })
    return pass()
  },
}))
