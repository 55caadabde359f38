// How the page is built. What `build` leaves in dist/app is embedded into the binary.
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a server: its socket, or an address. */
const socketPath = process.env.REGATTA_SOCKET;
const target = socketPath ? { socketPath } : (process.env.REGATTA_URL ?? "http://127.0.0.1:7433");

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  build: {
    outDir: "dist/app",
    emptyOutDir: true,
    // The page's policy allows nothing but files of this server: no data: URLs.
    assetsInlineLimit: 0,
    manifest: true,
    target: "baseline-widely-available",
  },
  server: {
    proxy: {
      // The server checks that Origin and Host agree, so both stay those of vite's port. Sign in with a token.
      "/api": { target: target as string, ws: true, changeOrigin: false },
    },
  },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
