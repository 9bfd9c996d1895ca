import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { printCodec } from './generate/print-codec.ts'
import { printReference } from './generate/print-reference.ts'
import { readSchema } from './generate/schema.ts'

// node dist/proto/generate.js            writes codec and reference
// node dist/proto/generate.js --check    exit 1 when a committed file is not what would be written

const home = join(import.meta.dirname, '../../proto')
const sources = [
  { from: 'sentinel/agent/v1/agent.proto', codec: 'codec/agent.ts', reference: 'REFERENCE.md' },
  { from: 'grpc/health/v1/health.proto', codec: 'codec/health.ts', reference: undefined },
]

const files = new Map<string, string>()
for (const { from, codec, reference } of sources) {
  const schema = readSchema(await readFile(join(home, from), 'utf8'))
  files.set(codec, printCodec(schema, `proto/${from}`))
  if (reference !== undefined) files.set(reference, printReference(schema, from))
}

const check = process.argv.includes('--check')
for (const [name, text] of files) {
  const file = join(home, name)
  const present = await readFile(file, 'utf8').catch(() => '')
  if (present === text) continue
  if (check) {
    process.stderr.write(`proto/${name} is not what proto/generate.ts makes of the .proto files; run node dist/proto/generate.js\n`)
    process.exitCode = 1
  } else {
    await writeFile(file, text)
    process.stdout.write(`wrote proto/${name}\n`)
  }
}
