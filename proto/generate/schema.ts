import protobuf from 'protobufjs'

/** What the printers need of a .proto file, in plain data. */
export interface Schema {
  readonly package: string
  readonly messages: readonly Message[]
  readonly enums: readonly Enumeration[]
  readonly services: readonly Service[]
}

export interface Message {
  /** Nested names joined: `HeaderEditAction`. */
  readonly name: string
  readonly doc: string
  readonly fields: readonly Field[]
  /** At most one per message, called `kind`. */
  readonly choices: readonly Field[]
}

export interface Field {
  readonly id: number
  /** As in the .proto file. */
  readonly name: string
  /** Scalar type, or name of a message or enumeration. */
  readonly type: string
  readonly of: 'scalar' | 'message' | 'enum'
  readonly repeated: boolean
  readonly map: boolean
  readonly optional: boolean
  /** Enumerations: the word of number 0. */
  readonly zeroWord: string
  readonly doc: string
}

export interface Enumeration {
  readonly name: string
  readonly doc: string
  /** Lower-case words without the prefix of the enumeration; the index is the number on the wire. */
  readonly words: readonly string[]
  readonly docs: readonly string[]
}

export interface Service {
  readonly name: string
  readonly doc: string
  readonly methods: readonly Method[]
}

export interface Method {
  readonly name: string
  readonly doc: string
  readonly request: string
  readonly response: string
  readonly requestStream: boolean
  readonly responseStream: boolean
}

/** Reads one .proto file without imports. Throws on what the printers cannot print, so that nothing is left out in silence. */
export function readSchema (source: string): Schema {
  const root = new protobuf.Root()
  const parsed = protobuf.parse(source, root, { keepCase: true, alternateCommentMode: true })
  root.resolveAll()
  const name = parsed.package
  if (name === undefined) throw new Error('the file has no package')
  const messages: Message[] = []
  const enums: Enumeration[] = []
  const services: Service[] = []
  const visit = (object: protobuf.ReflectionObject, prefix: string): void => {
    if (object instanceof protobuf.Enum) return void enums.push(readEnum(object, prefix))
    if (object instanceof protobuf.Service) return void services.push(readService(object))
    if (!(object instanceof protobuf.Type)) throw new Error(`cannot print ${object.fullName}`)
    messages.push(readMessage(object, prefix))
    for (const nested of object.nestedArray) visit(nested, prefix + object.name)
  }
  for (const object of packageOf(root, name).nestedArray) visit(object, '')
  return { package: name, messages, enums, services }
}

function packageOf (root: protobuf.Root, name: string): protobuf.Namespace {
  const found = root.lookup(name)
  if (!(found instanceof protobuf.Namespace)) throw new Error(`no package ${name}`)
  return found
}

function readMessage (type: protobuf.Type, prefix: string): Message {
  const fields: Field[] = []
  const choices: Field[] = []
  for (const field of type.fieldsArray) {
    const oneof = field.partOf
    const optional = oneof?.isProto3Optional === true
    if (oneof && !optional && oneof.name !== 'kind') throw new Error(`${field.fullName}: a oneof must be called kind`)
    ;(oneof && !optional ? choices : fields).push(readField(field, optional))
  }
  if (fields.some((f) => choices.some((c) => c.id < f.id) && choices.some((c) => c.id > f.id))) {
    throw new Error(`${type.fullName}: field numbers of a oneof must not enclose others`)
  }
  return { name: prefix + type.name, doc: type.comment ?? '', fields, choices }
}

function readField (field: protobuf.Field, optional: boolean): Field {
  const map = field instanceof protobuf.MapField
  if (map && (field.keyType !== 'string' || field.type !== 'string')) throw new Error(`${field.fullName}: only map<string, string>`)
  const type = field.resolvedType
  return {
    id: field.id,
    name: field.name,
    type: type ? joinedName(type) : field.type,
    of: type instanceof protobuf.Type ? 'message' : type instanceof protobuf.Enum ? 'enum' : 'scalar',
    repeated: field.repeated,
    map,
    optional,
    zeroWord: type instanceof protobuf.Enum ? readEnum(type, '').words[0] ?? '' : '',
    doc: field.comment ?? '',
  }
}

function joinedName (type: protobuf.ReflectionObject): string {
  const parent = type.parent
  return parent instanceof protobuf.Type ? joinedName(parent) + type.name : type.name
}

function readEnum (type: protobuf.Enum, prefix: string): Enumeration {
  const upper = type.name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase() + '_'
  const names = Object.keys(type.values)
  names.forEach((name, i) => {
    if (type.values[name] !== i) throw new Error(`${type.fullName}: numbers must run from 0 without a gap`)
  })
  return {
    name: prefix + type.name,
    doc: type.comment ?? '',
    words: names.map((name) => (name.startsWith(upper) ? name.slice(upper.length) : name).toLowerCase()),
    docs: names.map((name) => type.comments[name] ?? ''),
  }
}

function readService (service: protobuf.Service): Service {
  return {
    name: service.name,
    doc: service.comment ?? '',
    methods: service.methodsArray.map((method) => ({
      name: method.name,
      doc: method.comment ?? '',
      request: method.requestType,
      response: method.responseType,
      requestStream: method.requestStream === true,
      responseStream: method.responseStream === true,
    })),
  }
}
