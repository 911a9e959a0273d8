// The labels by which `docker compose` knows what belongs to a project. With project, service,
// config-hash and oneoff its ps, logs, exec and down work on what we made; the others it only
// shows.
#pragma once

namespace compose::label {

inline constexpr char project[] = "com.docker.compose.project";
inline constexpr char service[] = "com.docker.compose.service";
inline constexpr char number[] = "com.docker.compose.container-number";
inline constexpr char oneoff[] = "com.docker.compose.oneoff";  // "True" or "False"
inline constexpr char slug[] = "com.docker.compose.slug";      // of a one-off
inline constexpr char image[] = "com.docker.compose.image";
inline constexpr char depends_on[] =
    "com.docker.compose.depends_on";  // "db:service_healthy:false,..."
inline constexpr char working_dir[] = "com.docker.compose.project.working_dir";
inline constexpr char config_files[] = "com.docker.compose.project.config_files";
inline constexpr char environment_file[] = "com.docker.compose.project.environment_file";
inline constexpr char network[] = "com.docker.compose.network";  // a network's key in the file
inline constexpr char volume[] = "com.docker.compose.volume";

// Docker's own value cannot be made by others: it is there, with our value, because its existence
// is what `docker compose` looks for.
inline constexpr char config_hash[] = "com.docker.compose.config-hash";

// Our own: the image as the file names it, where a container is made by its id.
inline constexpr char image_name[] = "campaignctl.compose.image";

}  // namespace compose::label
