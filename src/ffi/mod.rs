//! The boundary: the guard round every exported function, and the conversions of pointers and
//! strings.
//!
//! With [`crate::capi`] this is the only code that may be `unsafe`. Each conversion of a pointer
//! that C gave checks for NULL; that the pointer is otherwise what the header asks for is the C
//! caller's promise.

pub(crate) mod files;
mod pages;
pub(crate) mod privileges;
pub(crate) mod registers;
pub(crate) mod secret;
pub(crate) mod sys;

#[cfg(feature = "capi")]
pub(crate) mod boundary;
#[cfg(feature = "capi")]
mod wipe;
