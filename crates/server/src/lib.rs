//! The HTTP surface: routes, authentication, errors, server-sent events, admin.
