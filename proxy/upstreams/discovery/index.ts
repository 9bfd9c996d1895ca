import { consulSource, type ConsulSettings } from './consul.ts'
import { dnsSource, type DnsSettings } from './dns.ts'
import { dockerSource, type DockerSettings } from './docker.ts'
import { fileSource, type FileSettings } from './file.ts'
import { kubernetesSource, type KubernetesSettings } from './kubernetes.ts'
import type { Source } from './source.ts'
import { staticSource } from './static.ts'

export { Discovery, type DiscoveryEvent, type DiscoveryListener, type DiscoveryState } from './discovery.ts'
export { DiscoveryError, type Source } from './source.ts'

/** Who is asked, by the words of the language. */
export const sources = {
  dns: (settings: DnsSettings): Source => dnsSource(settings),
  consul: (settings: ConsulSettings): Source => consulSource(settings),
  kubernetes: (settings: KubernetesSettings): Source => kubernetesSource(settings),
  docker: (settings: DockerSettings): Source => dockerSource(settings),
  file: (settings: FileSettings): Source => fileSource(settings),
  static: ({ backends }: { readonly backends: Parameters<typeof staticSource>[0] }): Source => staticSource(backends),
}
