//! The dashboard as a browser, or whoever pretends to be one, meets it.

mod crowded;
mod entering;
mod headers;
mod hostile;
mod live;
mod served;
