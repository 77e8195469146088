/** The font of the Chinese pages, a hundred slices of which a browser loads the few it needs. */
import '@fontsource-variable/noto-sans-sc/wght.css'
