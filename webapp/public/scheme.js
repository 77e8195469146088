// Sets the colour scheme before the first paint, so a dark room never sees a white flash.
;(() => {
  let scheme = 'auto'
  try {
    scheme = localStorage.getItem('trunkline-scheme') || 'auto'
  } catch {}
  const dark = scheme === 'dark' || (scheme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light')
})()
