import { fileURLToPath } from 'node:url'
import { lingui } from '@lingui/vite-plugin'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// `npm run dev` talks to a cloud that already runs; say where with TRUNKLINE_CLOUD.
const cloud = process.env.TRUNKLINE_CLOUD ?? 'http://127.0.0.1:8400'
const proxied = ['^/trunkline\\.', '^/recordings/', '^/app-config\\.json$']

export default defineConfig({
  plugins: [react(), lingui({ macroTransform: true, failOnCompileError: true })],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: { proxy: Object.fromEntries(proxied.map((path) => [path, { target: cloud, changeOrigin: false }])) },
  build: {
    target: 'es2023',
    // The content security policy allows no data: addresses for fonts and scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: true,
    chunkSizeWarningLimit: 2000,
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/app/test-setup.ts'],
    pool: 'threads',
    // A busy machine is slow; what hangs is found all the same.
    testTimeout: 60_000,
  },
})
