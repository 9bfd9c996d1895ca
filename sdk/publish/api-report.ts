import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Extractor, ExtractorConfig, ExtractorLogLevel, type ExtractorMessage } from '@microsoft/api-extractor'

/** What one entry point of the package offers. */
export interface ApiReport {
  /** Every public name with its type, as text that can be compared. */
  readonly text: string
  /** "sdk/request.d.ts:26: method" for every public name without a docstring. */
  readonly undocumented: readonly string[]
}

/**
 * Reads the types of an entry point of an assembled package. `typeRoots`: where `@types/node` is. Throws when the types have errors.
 */
export function apiReport (folder: string, entry: string, typeRoots: string): ApiReport {
  const reports = join(folder, '.report')
  mkdirSync(reports, { recursive: true })
  const undocumented: string[] = []
  const errors: string[] = []
  const name = entry.replaceAll(/[^a-z]+/g, '-')
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: join(folder, entry),
      compiler: { overrideTsconfig: { compilerOptions: { ...compilerOptions, typeRoots: [typeRoots] }, files: [join(folder, entry)] } },
      apiReport: { enabled: true, reportFolder: reports, reportTempFolder: join(reports, 'new'), reportFileName: name },
      newlineKind: 'lf',
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None }, 'ae-undocumented': { logLevel: ExtractorLogLevel.Warning } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, 'package.json'),
  })
  const messageCallback = (message: ExtractorMessage): void => {
    message.handled = true
    if (message.messageId === 'ae-undocumented') undocumented.push(placeOf(message))
    else if (message.logLevel === ExtractorLogLevel.Error) errors.push(message.text)
  }
  Extractor.invoke(config, { localBuild: true, messageCallback })
  const written = join(reports, 'new', `${name}.api.md`)
  if (errors.length > 0 || !existsSync(written)) throw new Error(`the types of ${entry} cannot be read:\n${errors.join('\n')}`)
  return { text: onlyTypes(readFileSync(written, 'utf8')), undocumented }
}

const compilerOptions = {
  module: 'nodenext', target: 'es2023', lib: ['es2023', 'esnext.disposable'], strict: true, exactOptionalPropertyTypes: true, types: ['node'],
}

function placeOf ({ sourceFilePath = '', sourceFileLine = 0, text }: ExtractorMessage): string {
  return `${sourceFilePath.replace(/^.*\/(?=sdk\/|config\/|proto\/)/, '')}:${sourceFileLine}: ${/"([^"]+)"/.exec(text)?.[1] ?? text}`
}

/** The block of code of a report, without what stands around it. */
function onlyTypes (report: string): string {
  const code = /```ts\n([\s\S]*?)\n```/.exec(report)?.[1]
  if (code === undefined || !code.includes('export ')) throw new Error('the report holds no types')
  return code.replaceAll(/^\s*\/\/ (?:\(undocumented\)|Warning: .*|\(No @packageDocumentation .*)\n/gm, '').replaceAll(/\n{3,}/g, '\n\n').trim() + '\n'
}
