import { extname, join } from 'node:path';
import compression from 'compression';
import express, { type RequestHandler, Router } from 'express';
import { AppError } from '../errors/app-error.ts';
import type { Pacs } from '../study/pacs.ts';
import type { TrafficMeter } from '../telemetry/traffic.ts';
import type { Authenticate } from './auth.ts';
import { type ProxiedPacs, proxyDicomweb } from './dicomweb-proxy.ts';
import { requireRole } from './mount.ts';
import { serveOneBitFrames } from './one-bit-frames.ts';

export interface ViewerOptions {
  /** The unmodified files of OHIF. */
  readonly viewerFolder: string;
  /** Our bundles `extension.js` and `mode.js`. */
  readonly extensionFolder: string;
  readonly pacs: ProxiedPacs;
  /** The same PACS, for what the viewer cannot take from it as it is. */
  readonly source: Pick<Pacs, 'searchInstances' | 'retrieve'>;
  /** Whether the PACS matches wildcards; else the viewer's study list asks for what was typed and no more. */
  readonly wildcards: boolean;
  /** Counts what the viewer reads of the PACS. */
  readonly meter?: TrafficMeter;
  readonly authenticate: Authenticate;
}

/**
 * The viewer at the root of the origin: `/dicom-web` from the PACS, our `/app-config.js`, our bundle below
 * `/plugins/uncol`, OHIF's own files, and its page for every address of its own router.
 */
export function viewerRouter(options: ViewerOptions): Router {
  const router = Router();
  const files = { redirect: false, index: false, cacheControl: false } as const;
  const { source, pacs, meter } = options;
  router.use('/dicom-web', requireRole('reader', options.authenticate));
  router.use('/dicom-web', serveOneBitFrames(source), proxyDicomweb(pacs, meter));
  router.use(
    compression({ filter: (request, response) => isCompressible(response.getHeader('content-type'), request.path) }),
  );
  router.get('/app-config.js', (_request, response) => {
    response.set('cache-control', 'no-cache').type('text/javascript').send(appConfig(options.wildcards));
  });
  router.use('/plugins/uncol', noCache, express.static(options.extensionFolder, files));
  router.use('/plugins', unknownFile);
  router.use(cacheByName, express.static(options.viewerFolder, files));
  router.get('/{*path}', (request, response, next) => {
    if (extname(request.path) !== '') return next();
    response.set('cache-control', 'no-cache').sendFile(join(options.viewerFolder, 'index.html'));
  });
  router.use(unknownFile);
  return router;
}

const noCache: RequestHandler = (_request, response, next) => {
  response.set('cache-control', 'no-cache');
  next();
};

/** Files with a content hash in their name never change; the others are asked for again. */
const cacheByName: RequestHandler = (request, response, next) => {
  const isHashed = /\.[0-9a-f]{16,}\./.test(request.path);
  response.set('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
  next();
};

const unknownFile: RequestHandler = (request) => {
  throw new AppError('not-found', `There is no file of this name (${extname(request.path) || 'no extension'}).`);
};

/** Names, because the wasm codecs are the largest files and not every table calls them compressible. */
function isCompressible(contentType: unknown, path: string): boolean {
  if (path.endsWith('.wasm')) return true;
  return /^(text\/(?!event-stream)|application\/(json|javascript|manifest)|image\/svg)/.test(String(contentType ?? ''));
}

const dataSource = (supportsWildcard: boolean) => ({
  namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
  sourceName: 'dicomweb',
  configuration: {
    friendlyName: 'PACS',
    name: 'dicomweb',
    qidoRoot: '/dicom-web',
    wadoRoot: '/dicom-web',
    wadoUriRoot: '/dicom-web',
    qidoSupportsIncludeField: false,
    imageRendering: 'wadors',
    thumbnailRendering: 'wadors',
    enableStudyLazyLoad: true,
    supportsWildcard,
    supportsFuzzyMatching: false,
    // The viewer never stores: only the server writes segmentations.
    dicomUploadEnabled: false,
    omitQuotationForMultipartRequest: true,
    bulkDataURI: { enabled: true, relativeResolution: 'studies' },
  },
});

const appConfig = (wildcards: boolean) =>
  `window.config = ${JSON.stringify({
    routerBasename: null,
    customizationService: {},
    showStudyList: true,
    investigationalUseDialog: { option: 'never' },
    extensions: ['@ohif/extension-cornerstone-dicom-seg', '/plugins/uncol/extension.js'],
    modes: ['/plugins/uncol/mode.js'],
    defaultDataSourceName: 'dicomweb',
    dataSources: [dataSource(wildcards)],
    uncol: { root: '/v1' },
  })};\n`;
