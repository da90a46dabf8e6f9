mod reply;
mod request;
