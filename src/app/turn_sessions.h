/* turn_sessions: sterna turn sessions list|close, over the HTTP of a running server. */
#pragma once
#include "app/app.h"

/* The arguments behind "sessions". Returns an exit code. */
int turn_sessions(const struct app_command *self, size_t argc, char *const *argv);
