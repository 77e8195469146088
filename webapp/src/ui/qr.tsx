import { useEffect, useState } from 'react'
import classes from './figures.module.css'

/** A QR code the server drew; always dark on white, or phones cannot read it. */
export function QrImage({ png, alt }: { png: Uint8Array; alt: string }) {
  const [url, setUrl] = useState<string>()
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([png as BlobPart], { type: 'image/png' }))
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [png])
  return url ? <img className={classes.qr} src={url} alt={alt} width={168} height={168} /> : null
}
