// One script, one style sheet, names without hashes: the hashes are put by tools/embed_web.py, so that the tree keeps steady names.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2022',
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        inlineDynamicImports: true,
        entryFileNames: 'assets/app.js',
        assetFileNames: (asset) =>
          asset.names.some((name) => name.endsWith('.css')) ? 'assets/app.css' : 'assets/[name][extname]',
      },
    },
  },
  // `npm run dev` shows the page with changes at once, beside a service that runs.
  server: { proxy: { '/api': 'http://127.0.0.1:9740', '/readyz': 'http://127.0.0.1:9740' } },
  test: { include: ['test/**/*.test.ts'] },
});
