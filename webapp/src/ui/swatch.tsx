import classes from './figures.module.css'

/** One colour token with its name. */
export const Swatch = ({ name }: { name: string }) => (
  <div className={classes.swatch}>
    <div className={classes.swatchColour} style={{ background: `var(--tl-${name})` }} />
    <span className={classes.note}>{name}</span>
  </div>
)
