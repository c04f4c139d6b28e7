import { z } from 'zod';
import { roles } from './auth.ts';
import { problem } from './contract.ts';
import { type BinaryBody, isBinary, type Route } from './route.ts';

type Json = Record<string, unknown>;

const componentUri = (id: string) => `#/components/schemas/${id}`;

/** OpenAPI 3.1 document of a route table; the schemas with an id become named components. */
export function describeRoutes(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const entry = paths[route.path] ?? {};
    paths[route.path] = { ...entry, [route.method]: describeRoute(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'UnCoL for OHIF', version, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: `Roles: ${roles.join(' < ')}.` },
      },
    },
  };
}

function describeRoute(route: Route): Json {
  const parameters = [
    ...describeParameters(route.params, 'path'),
    ...describeParameters(route.query, 'query'),
    ...(route.idempotencyKey ? [idempotencyHeader(route.idempotencyKey === 'required')] : []),
  ];
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.tag],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body ? { requestBody: { required: true, content: describeBody(route.body, 'input') } } : {}),
    responses: { ...describeReplies(route), default: problemReply },
    security: route.role === null ? [] : [{ bearer: [route.role] }],
  };
}

const problemReply = {
  description: 'A problem with a stable code, what was seen and what to do.',
  content: { 'application/problem+json': { schema: reference(problem) } },
};

function describeReplies(route: Route): Json {
  const replies = Object.entries(route.replies).map(([status, body]) => {
    const described = body === null ? {} : { content: describeBody(body, 'output') };
    const text = isBinary(body) ? body.description : route.summary;
    return [status, { description: text, ...described }];
  });
  return Object.fromEntries(replies);
}

function describeBody(body: z.ZodType | BinaryBody, io: 'input' | 'output'): Json {
  if (isBinary(body)) return { [body.mediaType]: { schema: { description: body.description } } };
  return { 'application/json': { schema: reference(body, io) } };
}

function describeParameters(schema: z.ZodObject | undefined, where: 'path' | 'query'): Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => ({
    name,
    in: where,
    required: where === 'path' || !(field as z.ZodType).safeParse(undefined).success,
    schema: reference(unwrapOptional(field as z.ZodType), 'input'),
  }));
}

function unwrapOptional(field: z.ZodType): z.ZodType {
  return field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType) : field;
}

function idempotencyHeader(required: boolean): Json {
  return {
    name: 'Idempotency-Key',
    in: 'header',
    required,
    description: 'The same key with the same request gives the same answer and acts once.',
    schema: { type: 'string', minLength: 8, maxLength: 128 },
  };
}

function operationId(route: Route): string {
  const words = route.path.split('/').filter((part) => part && part !== 'v1');
  const named = words.map((word) => (/^\{/.test(word) ? `By-${word.slice(1, -1)}` : word));
  return [route.method, ...named].join('-').replace(/[-.]+(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A schema as JSON Schema in place, or as a reference when it has an id. */
function reference(schema: z.ZodType, io: 'input' | 'output' = 'output'): Json {
  const id = schema.meta()?.id;
  if (id) return { $ref: componentUri(id) };
  const { $schema: _dialect, $defs: _defs, ...json } = z.toJSONSchema(schema, { io, reused: 'inline' }) as Json;
  return rewrite(json) as Json;
}

function namedSchemas(): Json {
  const { schemas } = z.toJSONSchema(z.globalRegistry, { uri: componentUri });
  const named = Object.entries(schemas as Record<string, Json>).map(([id, json]) => {
    const { $schema: _dialect, $id: _id, ...rest } = json;
    return [id, rest];
  });
  return Object.fromEntries(named.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)));
}

/** Local definitions of an inline schema point at the components instead. */
function rewrite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewrite);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'id')
      .map(([key, inner]) => {
        if (key === '$ref' && typeof inner === 'string') return [key, inner.replace('#/$defs/', componentUri(''))];
        return [key, rewrite(inner)];
      }),
  );
}
