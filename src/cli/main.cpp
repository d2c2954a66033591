#include "cli/app.hpp"

int main(int argument_count, char** arguments) {
  return chunker::cli::run(argument_count, arguments);
}
