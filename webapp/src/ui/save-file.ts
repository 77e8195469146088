/** Gives bytes to the browser as a download. */
export function saveFile(name: string, bytes: Uint8Array, type: string) {
  const url = URL.createObjectURL(new Blob([bytes as BlobPart], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser needs the address until it has begun.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
